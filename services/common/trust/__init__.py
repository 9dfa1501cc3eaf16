"""Who may what: tokens, keys, certificates, files that are for their owner alone."""
