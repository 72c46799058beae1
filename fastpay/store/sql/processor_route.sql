-- Replaces the rules that choose among a tenant's processors.
-- $1 tenant_id uuid, $2 livemode boolean, $3 rules text
insert into processor_routing (tenant_id, livemode, rules)
values ($1, $2, $3::text::jsonb)
on conflict (tenant_id, livemode) do update set rules = excluded.rules
