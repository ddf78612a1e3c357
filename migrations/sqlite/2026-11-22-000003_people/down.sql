DROP TABLE unfinished_accounts;
