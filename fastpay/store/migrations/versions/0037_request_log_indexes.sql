-- A request is found without its tenant, and what was asked of a payment by the object that a request answered with or,
-- where it was refused, by the one in its path.
create index request_log_by_request on request_log (request_id);

create index request_log_by_object on request_log (
    tenant_id, livemode, coalesce(object_id, substring(path from '[a-z]+_[0-9a-f]{32}')), received_at
) where method <> 'GET';
