-- A part of select_events.sql where select_endpoints.sql is none: 1 if there are endpoints, and they are wanted.
-- $2 boolean with the endpoints
case when $2::boolean and exists (
        select
        from webhook_endpoint
        where webhook_endpoint.tenant_id = place.tenant_id
            and webhook_endpoint.livemode = place.livemode
            and not webhook_endpoint.deleted
    ) then 1 end
