# Sourced by the image's entry point when it fills the datadir: the account of the logtailers, with the password that setup made.
# REPLICATION SLAVE is needed; PROCESS lets them see who else streams; the last one how far behind in bytes they are while they catch up.
docker_process_sql <<SQL
CREATE USER logtailer@'%' IDENTIFIED BY '$(cat /run/primary-secrets/logtailer_password)' REQUIRE SSL;
GRANT REPLICATION SLAVE, PROCESS ON *.* TO logtailer@'%';
GRANT SELECT ON performance_schema.file_summary_by_instance TO logtailer@'%';
SQL
