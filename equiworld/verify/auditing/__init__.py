"""What an audit is made of: states that can be restored, subgroups, runs, verdicts, reports."""
