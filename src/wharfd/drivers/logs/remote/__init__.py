"""Log drivers that send lines away: syslog, gelf, fluentd, journald.  The local file is their queue and their memory."""
