"""What people type and paste: one rule for every text."""
