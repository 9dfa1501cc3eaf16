"""The texts of messages auth sends, one catalogue for each interface language."""
