"""The rules of the public origin: cookies, origins, networks, rings and refusals."""
