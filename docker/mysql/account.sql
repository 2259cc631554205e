-- The account of the logtailers. REPLICATION SLAVE is needed; PROCESS lets them see who else streams.
CREATE USER logtailer@'%' IDENTIFIED BY 'demo-password-change-me' REQUIRE SSL;
GRANT REPLICATION SLAVE, PROCESS ON *.* TO logtailer@'%';
-- How far behind in bytes, while it catches up.
GRANT SELECT ON performance_schema.file_summary_by_instance TO logtailer@'%';
