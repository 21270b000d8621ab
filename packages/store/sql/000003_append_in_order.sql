-- Facts of many streams in one transaction, whole or not at all, with positions in the order of the arrays: what stands
-- in another event log, moved into this one. False, and nothing stored, where a stream does not stand right before the
-- first of its facts, where the revisions of one stream are not gapless, or where an id stands already.
create function :schema.append_in_order(
  streams text[], revisions bigint[], ids uuid[], types text[], datas json[], metadatas json[]
) returns boolean
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);

  if exists (select from :schema.events e where e.event_id = any (ids))
    or exists (
      select from (
        select f.stream, min(f.revision) as first, max(f.revision) as last, count(*) as facts
        from unnest(streams, revisions) f(stream, revision) group by f.stream
      ) s
      where s.last - s.first + 1 <> s.facts
        or s.first <> 1 + coalesce(
          (select e.revision from :schema.events e where e.stream = s.stream order by e.revision desc limit 1), -1))
  then
    return false;
  end if;

  insert into :schema.events (stream, revision, event_id, type, data, metadata)
  select f.stream, f.revision, f.id, f.type, f.data, f.metadata
  from unnest(streams, revisions, ids, types, datas, metadatas)
    with ordinality f(stream, revision, id, type, data, metadata, no)
  order by f.no;
  perform pg_notify(:channel, '');
  return true;
end $$;
