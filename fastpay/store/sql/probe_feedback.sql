-- Whether this standby tells its primary which rows its queries still need.
select current_setting('hot_standby_feedback') as feedback
