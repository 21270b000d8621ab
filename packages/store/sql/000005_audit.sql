-- What outlives the logs: the history of what was observed at the registries, and builds found by what they ran.
alter table :schema.builds add column steps json;

alter table :schema.build_images
  add column repository  text collate "C",
  add column tag         text collate "C",
  add column observed_at timestamptz;
create index build_images_repository on :schema.build_images (repository, requested_at);

alter table :schema.scopes
  add column pull_repository text collate "C",
  add column credential      text;
create index scopes_pull_repository on :schema.scopes (pull_repository, tag) where pull_repository is not null;

create table :schema.observations (
  scope       text collate "C" not null,
  revision    bigint not null,
  outcome     text not null,
  observed_at timestamptz not null,
  tag         text collate "C",
  digest      text collate "C",
  via         text,
  host        text,
  status      int,
  build_id    text collate "C" not null,
  fetch_id    text collate "C" not null,
  node        text not null,
  failure     json,
  primary key (scope, revision)
);
create index observations_of_scope on :schema.observations (scope, observed_at, revision);
-- Of all checks, few find that anything has moved.
create index observations_moved on :schema.observations (observed_at, scope, revision)
  where outcome in ('changed', 'vanished');

-- The stays of a scope's versions. Failed checks neither end nor prolong one; a tag that stays away has one stay.
create function :schema.stays_of_scope(of_scope text) returns table (
  scope text, revision bigint, outcome text, tag text, digest text, first_observed_at timestamptz,
  last_observed_at timestamptz, observations int, build_id text, fetch_id text
)
language sql stable
as $$
  with answers as (
    select o.*, lag(o.outcome) over (order by o.revision) as before
    from :schema.observations o where o.scope = of_scope and o.outcome <> 'failed'
  ), numbered as (
    select a.*, count(*) filter (
      where a.before is null or a.outcome = 'changed' or (a.outcome = 'vanished') <> (a.before = 'vanished')
    ) over (order by a.revision) as stay
    from answers a
  )
  select of_scope, min(n.revision), case when (array_agg(n.outcome))[1] = 'vanished' then 'vanished' else 'observed' end,
    (array_agg(n.tag order by n.revision))[1], (array_agg(n.digest order by n.revision))[1],
    min(n.observed_at), max(n.observed_at), count(*)::int,
    (array_agg(n.build_id order by n.revision))[1], (array_agg(n.fetch_id order by n.revision))[1]
  from numbered n group by n.stay
$$;

-- A process of an older version must not go on projecting: it would leave out what is new here.
drop function :schema.apply_changes(text, text, text, json, json, json, json);

-- Applies one page of changes and moves the checkpoint; false, and nothing changed, where it does not stand at
-- from_position (null: it does not exist). Rows are JSON arrays of objects, at most one per key; a field that is absent
-- leaves what is stored; json columns come as their text.
create function :schema.apply_changes(
  checkpoint text, from_position text, to_position text,
  builds json, images json, scopes json, versions json, observations json
) returns boolean
language plpgsql
as $$
#variable_conflict use_column
begin
  if from_position is null then
    insert into :schema.checkpoints (name, position) values (checkpoint, to_position) on conflict do nothing;
  else
    update :schema.checkpoints c set position = to_position where c.name = checkpoint and c.position = from_position;
  end if;
  if not found then
    return false;
  end if;

  insert into :schema.builds as old (build_id, team, pipeline, job, steps, opened_at)
  select build_id, team, pipeline, job, steps::json, opened_at
  from json_to_recordset(builds) as r(
    build_id text, team text, pipeline text, job text, steps text, opened_at timestamptz)
  on conflict (build_id) do update set
    team = coalesce(excluded.team, old.team),
    pipeline = coalesce(excluded.pipeline, old.pipeline),
    job = coalesce(excluded.job, old.job),
    steps = coalesce(excluded.steps, old.steps),
    opened_at = coalesce(excluded.opened_at, old.opened_at);

  insert into :schema.build_images as old (
    build_id, fetch_id, plan_id, name, type, scope, repository, tag, state, reference, image_url, digest, version, via,
    artifact, observed_at, evidence, failure, requested_at, ended_at)
  select
    build_id, fetch_id, plan_id, name, type, scope, repository, tag, state, reference, image_url, digest, version::json,
    via, artifact, observed_at, evidence::json, failure::json, requested_at, ended_at
  from json_to_recordset(images) as r(
    build_id text, fetch_id text, plan_id text, name text, type text, scope text, repository text, tag text, state text,
    reference text, image_url text, digest text, version text, via text, artifact text, observed_at timestamptz,
    evidence text, failure text, requested_at timestamptz, ended_at timestamptz)
  on conflict (build_id, fetch_id) do update set
    plan_id = coalesce(excluded.plan_id, old.plan_id),
    name = coalesce(excluded.name, old.name),
    type = coalesce(excluded.type, old.type),
    scope = coalesce(excluded.scope, old.scope),
    repository = coalesce(excluded.repository, old.repository),
    tag = coalesce(excluded.tag, old.tag),
    state = coalesce(excluded.state, old.state),
    reference = coalesce(excluded.reference, old.reference),
    image_url = coalesce(excluded.image_url, old.image_url),
    digest = coalesce(excluded.digest, old.digest),
    version = coalesce(excluded.version, old.version),
    via = coalesce(excluded.via, old.via),
    artifact = coalesce(excluded.artifact, old.artifact),
    observed_at = coalesce(excluded.observed_at, old.observed_at),
    evidence = coalesce(excluded.evidence, old.evidence),
    failure = coalesce(excluded.failure, old.failure),
    requested_at = coalesce(excluded.requested_at, old.requested_at),
    ended_at = coalesce(excluded.ended_at, old.ended_at);

  insert into :schema.scopes as old (
    scope, type, repository, tag, pull_repository, credential, source, last_checked_at, last_failure)
  select
    scope, type, repository, tag, pull_repository, credential, source::json, last_checked_at, last_failure::json
  from json_to_recordset(scopes) as r(
    scope text, type text, repository text, tag text, pull_repository text, credential text, source text,
    last_checked_at timestamptz, last_failure text)
  on conflict (scope) do update set
    type = coalesce(excluded.type, old.type),
    repository = coalesce(excluded.repository, old.repository),
    tag = coalesce(excluded.tag, old.tag),
    pull_repository = coalesce(excluded.pull_repository, old.pull_repository),
    credential = coalesce(excluded.credential, old.credential),
    source = coalesce(excluded.source, old.source),
    last_checked_at = coalesce(excluded.last_checked_at, old.last_checked_at),
    last_failure = coalesce(excluded.last_failure, old.last_failure);

  -- least and greatest pass over nulls.
  insert into :schema.versions as old (scope, tag, digest, check_order, first_observed_at, last_observed_at)
  select * from json_to_recordset(versions) as r(
    scope text, tag text, digest text, check_order bigint, first_observed_at timestamptz, last_observed_at timestamptz)
  on conflict (scope, tag, digest) do update set
    check_order = coalesce(excluded.check_order, old.check_order),
    first_observed_at = least(excluded.first_observed_at, old.first_observed_at),
    last_observed_at = greatest(excluded.last_observed_at, old.last_observed_at);

  -- A fact never changes, and neither does its row.
  insert into :schema.observations (
    scope, revision, outcome, observed_at, tag, digest, via, host, status, build_id, fetch_id, node, failure)
  select
    scope, revision, outcome, observed_at, tag, digest, via, host, status, build_id, fetch_id, node, failure::json
  from json_to_recordset(observations) as r(
    scope text, revision bigint, outcome text, observed_at timestamptz, tag text, digest text, via text, host text,
    status int, build_id text, fetch_id text, node text, failure text)
  on conflict (scope, revision) do nothing;

  return true;
end $$;

-- As before, and the observations with the rest: the facts of scopes do not expire.
create or replace function :schema.reset_read_model(checkpoint text) returns void
language sql
as $$
  insert into :schema.checkpoints (name, position) values (checkpoint, '') on conflict do nothing;
  delete from :schema.checkpoints c where c.name = checkpoint;
  delete from :schema.builds b where b.expired_at is null;
  delete from :schema.build_images i where not exists (select from :schema.builds b where b.build_id = i.build_id);
  delete from :schema.scopes;
  delete from :schema.versions;
  delete from :schema.observations;
$$;

-- The rows that there are do not have what is new here: the next projector begins at the first fact, and completes them.
-- For builds whose facts are gone, what can be told from the rows themselves is told now.
delete from :schema.checkpoints c where c.name = 'read-model';
update :schema.build_images i set
  repository = regexp_replace(regexp_replace(i.reference, '@.*$', ''), ':[^/:]*$', ''),
  tag = nullif(i.version->>'tag', ''),
  observed_at = (i.evidence->>'observedAt')::timestamptz
from :schema.builds b
where b.build_id = i.build_id and b.expired_at is not null and i.reference is not null;
