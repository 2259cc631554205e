-- The account of the logtailers. REPLICATION SLAVE is needed; REPLICATION CLIENT and PROCESS let the monitor see who else streams.
CREATE USER logtailer@'%' IDENTIFIED BY 'demo-password-change-me' REQUIRE SSL;
GRANT REPLICATION SLAVE, REPLICATION CLIENT, PROCESS ON *.* TO logtailer@'%';
