"""What questions are asked in: environments with their tasks, and declarations that are drawn."""
