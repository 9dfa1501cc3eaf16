"""How often things may be tried: every rate limit of auth in one table."""

from services.common.limits import Limit

CODES_PER_ADDRESS = Limit("codes_per_address", burst=5, seconds_each=180)
CODES_PER_NETWORK = Limit("codes_per_network", burst=20, seconds_each=30)
CODES_PER_DEPLOYMENT = Limit("codes_per_deployment", burst=300, seconds_each=0.5)
WRONG_CODES_PER_ADDRESS = Limit("wrong_codes_per_address", burst=15, seconds_each=600)
WRONG_CODES_PER_NETWORK = Limit("wrong_codes_per_network", burst=30, seconds_each=60)
PASSKEY_STARTS_PER_NETWORK = Limit("passkey_starts_per_network", burst=60, seconds_each=2)
PASSKEY_STARTS_PER_DEPLOYMENT = Limit("passkey_starts_per_deployment", burst=1000, seconds_each=0.02)
BAD_PASSKEYS_PER_NETWORK = Limit("bad_passkeys_per_network", burst=30, seconds_each=30)
BAD_TOKENS_PER_NETWORK = Limit("bad_tokens_per_network", burst=20, seconds_each=30)
# By any number of invitations: whoever holds several cannot flood a stranger.
TURNS_PER_ADDRESS = Limit("turns_per_address", burst=3, seconds_each=3600)
TURNS_PER_DEPLOYMENT = Limit("turns_per_deployment", burst=300, seconds_each=0.5)
