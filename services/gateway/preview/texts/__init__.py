"""The words of link previews, one catalogue for each interface language."""
