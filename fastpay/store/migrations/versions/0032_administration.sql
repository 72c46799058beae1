-- A form of the console is carried out once: what it did has the key of the form. `detail` says what was changed.
alter table operator_action
    add column form_key text,
    add column detail text,
    add constraint operator_action_form_unique unique (form_key),
    add constraint operator_action_detail_length check (char_length(detail) <= 2000);
