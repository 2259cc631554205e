-- The account of the logtailers. REPLICATION SLAVE is needed; PROCESS lets them see who else streams.
CREATE USER logtailer@'%' IDENTIFIED BY 'demo-password-change-me' REQUIRE SSL;
GRANT REPLICATION SLAVE, PROCESS ON *.* TO logtailer@'%';
