"""WHIP and WHEP: sessions on behalf of clients, their permits, ICE servers."""
