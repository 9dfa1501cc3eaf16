"""What proves who somebody is: signing keys, passkeys, letters with codes, and the link of the owner."""
