"""What a user looks at afterwards: scores beside those of others."""
