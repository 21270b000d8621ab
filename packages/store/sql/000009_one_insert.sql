-- append_batch as before, but where every append fits and no stream comes twice, as a rule, to look where the streams stand
-- is part of the insert: all of it, or nothing.
create or replace function :schema.append_batch(
  streams text[], expected bigint[], counts int[], repeats boolean,
  fact_streams text[], fact_revisions bigint[], ids uuid[], types text[], datas json[], metadatas json[],
  out positions bigint[], out others json
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  first int := 1;
  misfits text[];
  said json[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);

  if repeats then
    -- Of two appends to one stream, what the second one meets depends on the first.
    misfits := streams;
  else
    with stored as (
      insert into :schema.events (stream, revision, event_id, type, data, metadata)
      -- Side by side rather than from a join of them, which would be written down first and read once more.
      select unnest(fact_streams), unnest(fact_revisions), unnest(ids), unnest(types), unnest(datas), unnest(metadatas)
      where not exists (
        select from unnest(streams, expected) a(stream, expected)
        where a.expected <> coalesce(
          (select e.revision from :schema.events e where e.stream = a.stream order by e.revision desc limit 1), -1))
      returning position
    )
    select array_agg(s.position order by s.position) into positions from stored s;
    if positions is not null then
      perform pg_notify(:channel, '');
      return;
    end if;
    misfits := array(
      select a.stream from unnest(streams, expected) a(stream, expected)
      where a.expected <> coalesce(
        (select e.revision from :schema.events e where e.stream = a.stream order by e.revision desc limit 1), -1));
    if cardinality(misfits) < cardinality(streams) then
      with stored as (
        insert into :schema.events (stream, revision, event_id, type, data, metadata)
        select f.stream, f.revision, f.id, f.type, f.data, f.metadata
        from unnest(fact_streams, fact_revisions, ids, types, datas, metadatas)
          with ordinality f(stream, revision, id, type, data, metadata, no)
        where f.stream <> all (misfits)
        order by f.no
        returning position
      )
      select array_agg(s.position order by s.position) into positions from stored s;
      perform pg_notify(:channel, '');
    end if;
  end if;

  for a in 1 .. cardinality(streams) loop
    if streams[a] = any (misfits) then
      said := said || (
        select json_build_object(
          'append_no', a, 'outcome', o.outcome, 'last_revision', o.last_revision::text,
          'last_position', o.last_position::text, 'duplicate', o.duplicate)
        from :schema.append_one(
          streams[a], expected[a], ids[first : first + counts[a] - 1], types[first : first + counts[a] - 1],
          datas[first : first + counts[a] - 1], metadatas[first : first + counts[a] - 1]) o);
    end if;
    first := first + counts[a];
  end loop;
  others := array_to_json(said);
end $$;

-- Facts of a stream from a revision on, in their order, `most` of them. Planned once per session and by the index, for
-- those who look often and find little: to plan costs more than to look.
create function :schema.read_some(from_stream text, first bigint, most int) returns setof :schema.events
language plpgsql
stable
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
    select * from :schema.events e
    where e.stream = from_stream and e.revision >= first order by e.revision limit most;
end $$;
