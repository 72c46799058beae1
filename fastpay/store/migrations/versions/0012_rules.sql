-- The money rules of a tenant and mode. New tenants pay no fee; those that are there keep what they have.
alter table book alter column fee_basis_points set default 0;
alter table book alter column fee_fixed set default 0;

alter table book
    -- Days until the money of a payment is available; 0 makes it available with the capture.
    add column funds_delay_days integer not null default 2,
    -- The smallest amount of a payment for each currency that has one: {"usd": 50}.
    add column amount_minimums jsonb not null default '{}',
    add constraint book_funds_delay_days_range check (funds_delay_days between 0 and 365),
    -- From 1 to 99999999 each, and nothing that could be written in two ways.
    add constraint book_amount_minimums_shape check (
        amount_minimums::text ~ '^\{("[a-z]{3}": [1-9][0-9]{0,7}(, )?)*\}$'
    );

-- All rules as one JSON array, in the order of the fields of `Rules`: read, and compared under the lock, as one value.
-- The database derives it, so that a change made by hand is noticed as well.
alter table book add column rules text generated always as (
    '[' || fee_basis_points::text || ',' || fee_fixed::text || ',' || refunds_may_overdraw::text
    || ',' || funds_delay_days::text || ',' || replace(amount_minimums::text, ' ', '') || ']'
) stored not null;
