-- For a plain insert of appends to different streams: holds the append lock, and tells whether each stream stands where its
-- append expects it, -1 where it must not exist. Asked in the insert's `where`: what it sees is of after the lock, other than
-- what the insert itself would see, and positions are drawn after it.
create function :schema.locked_and_fitting(streams text[], expected bigint[]) returns boolean
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int), pg_notify(:channel, '');
  return not exists (
    select from unnest(streams, expected) a(stream, expected)
    where a.expected <> coalesce(
      (select e.revision from :schema.events e where e.stream = a.stream order by e.revision desc limit 1), -1));
end $$;
