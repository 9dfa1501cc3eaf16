"""Messages of the contracts, whatever they are about: read strictly, written as JSON."""
