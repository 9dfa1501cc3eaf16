#!/bin/sh
# Runs once, when the database is made: one role a service, which may make its own schema and see no other.
set -eu
for service in auth invite room_directory; do
	password="$(cat "/run/secrets/database-$service-password")"
	psql -v ON_ERROR_STOP=1 -v role="$service" -v password="$password" -U postgres -d majlis <<-'SQL'
		CREATE ROLE :"role" LOGIN PASSWORD :'password' CONNECTION LIMIT 60;
		GRANT CREATE, CONNECT ON DATABASE majlis TO :"role";
	SQL
done
psql -v ON_ERROR_STOP=1 -U postgres -d majlis -c 'REVOKE ALL ON SCHEMA public FROM PUBLIC'
