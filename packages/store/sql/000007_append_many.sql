-- As before, with less to look up: whether an id stands already is left to the constraint. Where one does, all that was to
-- be appended is refused with it, and each append is made again by itself, by append_one, which tells whose id it is.
-- Where some of the appends do not fit, the others are one insert all the same.
create or replace function :schema.append_many(
  streams text[], expected bigint[], counts int[],
  fact_streams text[], fact_revisions bigint[], ids uuid[], types text[], datas json[], metadatas json[]
) returns table (append_no int, outcome text, last_revision bigint, last_position bigint, duplicate uuid)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  first int := 1;
  misfits text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);

  -- As a rule there are none.
  misfits := array(
    select a.stream from unnest(streams, expected) a(stream, expected)
    where a.expected <> coalesce(
      (select e.revision from :schema.events e where e.stream = a.stream order by e.revision desc limit 1), -1));
  -- Of two appends to one stream, what the second one meets depends on the first.
  if (select count(distinct s) < cardinality(streams) from unnest(streams) s) then
    misfits := streams;
  end if;

  if cardinality(misfits) < cardinality(streams) then
    return query
      with stored as (
        insert into :schema.events (stream, revision, event_id, type, data, metadata)
        select f.stream, f.revision, f.id, f.type, f.data, f.metadata
        from unnest(fact_streams, fact_revisions, ids, types, datas, metadatas)
          with ordinality f(stream, revision, id, type, data, metadata, no)
        where f.stream <> all (misfits)
        order by f.no
        returning stream, revision, position
      )
      select a.no::int, 'appended', s.revision, s.position, null::uuid
      from unnest(streams, expected, counts) with ordinality a(stream, expected, count, no)
      join stored s on s.stream = a.stream and s.revision = a.expected + a.count;
    perform pg_notify(:channel, '');
  end if;
  if cardinality(misfits) = 0 then
    return;
  end if;

  for a in 1 .. cardinality(streams) loop
    if streams[a] = any (misfits) then
      return query
        select a, o.outcome, o.last_revision, o.last_position, o.duplicate
        from :schema.append_one(
          streams[a], expected[a], ids[first : first + counts[a] - 1], types[first : first + counts[a] - 1],
          datas[first : first + counts[a] - 1], metadatas[first : first + counts[a] - 1]) o;
    end if;
    first := first + counts[a];
  end loop;
end $$;
