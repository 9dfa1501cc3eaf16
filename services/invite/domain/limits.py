"""How often things may be tried: every rate limit of invite in one table."""

from services.common.limits import Limit

BAD_CODES_PER_NETWORK = Limit("bad_codes_per_network", burst=30, seconds_each=10)
# High, since codes of 128 bits cannot be guessed: it only keeps a flood from the database.
BAD_CODES_PER_DEPLOYMENT = Limit("bad_codes_per_deployment", burst=2000, seconds_each=0.01)
REDEMPTIONS_PER_NETWORK = Limit("redemptions_per_network", burst=60, seconds_each=5)
# Whom the doors let wait does not count for their network, where a whole hall may sit, unless one code asks too often.
EXCUSED_PER_CODE = Limit("excused_per_code", burst=20, seconds_each=5)
REDEMPTIONS_PER_DEPLOYMENT = Limit("redemptions_per_deployment", burst=2000, seconds_each=0.02)
# By the place, which nobody has for nothing; a whole hall behind one address waits and leaves its own.
ADDRESSES_PER_PLACE = Limit("addresses_per_place", burst=5, seconds_each=120)
ADDRESSES_PER_NETWORK = Limit("addresses_per_network", burst=2000, seconds_each=1)
