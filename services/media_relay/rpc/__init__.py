"""The RPCs, one file for each service of the contract: contract in, use case, contract out."""
