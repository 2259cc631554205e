-- From here on every commit waits for an acknowledgement, also after a restart.
SET PERSIST rpl_semi_sync_source_enabled = ON;
