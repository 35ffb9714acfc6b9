-- Whoever may manage keys could make a key with the new right.
update keys set permissions = permissions || array['tools:call'] where 'keys:manage' = any(permissions);
