-- What is old is found where it lies, some blocks after another.
drop index idempotency_by_age;
