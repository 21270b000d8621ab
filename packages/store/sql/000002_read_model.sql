-- Tables that answer questions. Folded from facts, so they can be emptied and filled again at any time.
create table :schema.builds (
  build_id  text collate "C" primary key,
  team      text,
  pipeline  text,
  job       text,
  opened_at timestamptz
);
create index builds_opened_at on :schema.builds (opened_at);

create table :schema.build_images (
  build_id     text collate "C" not null,
  fetch_id     text collate "C" not null,
  plan_id      text,
  name         text,
  type         text,
  scope        text,
  state        text,
  reference    text,
  image_url    text,
  digest       text collate "C",
  version      json,
  via          text,
  artifact     text,
  evidence     json,
  failure      json,
  requested_at timestamptz,
  ended_at     timestamptz,
  primary key (build_id, fetch_id)
);
create index build_images_digest on :schema.build_images (digest, requested_at);

create table :schema.scopes (
  scope           text collate "C" primary key,
  type            text,
  repository      text collate "C",
  tag             text collate "C",
  source          json,
  last_checked_at timestamptz,
  last_failure    json
);
create index scopes_repository on :schema.scopes (repository, tag);

create table :schema.versions (
  scope             text collate "C" not null,
  tag               text collate "C" not null,
  digest            text collate "C" not null,
  check_order       bigint,
  first_observed_at timestamptz,
  last_observed_at  timestamptz,
  primary key (scope, tag, digest)
);

-- The position up to which a projection has seen the log, in that log's own words.
create table :schema.checkpoints (
  name     text collate "C" primary key,
  position text not null
);

-- Applies one page of changes and moves the checkpoint; false, and nothing changed, where it does not stand at
-- from_position (null: it does not exist). Rows are JSON arrays of objects, at most one per key; a field that is absent
-- leaves what is stored; json columns come as their text.
create function :schema.apply_changes(
  checkpoint text, from_position text, to_position text, builds json, images json, scopes json, versions json
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

  insert into :schema.builds as old (build_id, team, pipeline, job, opened_at)
  select * from json_to_recordset(builds) as r(build_id text, team text, pipeline text, job text, opened_at timestamptz)
  on conflict (build_id) do update set
    team = coalesce(excluded.team, old.team),
    pipeline = coalesce(excluded.pipeline, old.pipeline),
    job = coalesce(excluded.job, old.job),
    opened_at = coalesce(excluded.opened_at, old.opened_at);

  insert into :schema.build_images as old (
    build_id, fetch_id, plan_id, name, type, scope, state, reference, image_url, digest, version, via, artifact,
    evidence, failure, requested_at, ended_at)
  select
    build_id, fetch_id, plan_id, name, type, scope, state, reference, image_url, digest, version::json, via, artifact,
    evidence::json, failure::json, requested_at, ended_at
  from json_to_recordset(images) as r(
    build_id text, fetch_id text, plan_id text, name text, type text, scope text, state text, reference text,
    image_url text, digest text, version text, via text, artifact text, evidence text, failure text,
    requested_at timestamptz, ended_at timestamptz)
  on conflict (build_id, fetch_id) do update set
    plan_id = coalesce(excluded.plan_id, old.plan_id),
    name = coalesce(excluded.name, old.name),
    type = coalesce(excluded.type, old.type),
    scope = coalesce(excluded.scope, old.scope),
    state = coalesce(excluded.state, old.state),
    reference = coalesce(excluded.reference, old.reference),
    image_url = coalesce(excluded.image_url, old.image_url),
    digest = coalesce(excluded.digest, old.digest),
    version = coalesce(excluded.version, old.version),
    via = coalesce(excluded.via, old.via),
    artifact = coalesce(excluded.artifact, old.artifact),
    evidence = coalesce(excluded.evidence, old.evidence),
    failure = coalesce(excluded.failure, old.failure),
    requested_at = coalesce(excluded.requested_at, old.requested_at),
    ended_at = coalesce(excluded.ended_at, old.ended_at);

  insert into :schema.scopes as old (scope, type, repository, tag, source, last_checked_at, last_failure)
  select scope, type, repository, tag, source::json, last_checked_at, last_failure::json
  from json_to_recordset(scopes) as r(
    scope text, type text, repository text, tag text, source text, last_checked_at timestamptz, last_failure text)
  on conflict (scope) do update set
    type = coalesce(excluded.type, old.type),
    repository = coalesce(excluded.repository, old.repository),
    tag = coalesce(excluded.tag, old.tag),
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

  return true;
end $$;

-- Empties the read model. The checkpoint's row is held first, made where it is missing, so that a projector in flight
-- ends before this or comes after it.
create function :schema.reset_read_model(checkpoint text) returns void
language sql
as $$
  insert into :schema.checkpoints (name, position) values (checkpoint, '') on conflict do nothing;
  delete from :schema.checkpoints c where c.name = checkpoint;
  delete from :schema.builds;
  delete from :schema.build_images;
  delete from :schema.scopes;
  delete from :schema.versions;
$$;
