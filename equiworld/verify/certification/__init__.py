"""What `certify` is made of: recorded loops, how they compare over an orbit, and the certificate."""
