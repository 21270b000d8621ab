import { randomUUID } from "node:crypto";
import type { ClusterInfo } from "@eventstore/db-client/generated/gossip_pb.js";
import gossipMessages from "@eventstore/db-client/generated/gossip_pb.js";
import type { SupportedMethods as Methods } from "@eventstore/db-client/generated/serverfeatures_pb.js";
import featureMessages from "@eventstore/db-client/generated/serverfeatures_pb.js";
import { uuid } from "./wire.ts";

const { ClusterInfo: Cluster, EndPoint, MemberInfo } = gossipMessages;
const { SupportedMethod, SupportedMethods } = featureMessages;

/** A member of a cluster, as gossip tells of it. */
export interface Member {
  readonly host: string;
  readonly port: number;
  readonly isLeader: boolean;
  readonly isAlive: boolean;
}

/** What the server can do, by service and method in lower case, from which the client knows whether it takes batches. */
export function supportedMethods(version: string, batches: boolean): Methods {
  const methods = new SupportedMethods();
  methods.setEventStoreServerVersion(version);
  for (const name of ["read", "append", "delete", "tombstone", ...(batches ? ["batchappend"] : [])]) {
    const method = new SupportedMethod();
    method.setServiceName("event_store.client.streams.streams");
    method.setMethodName(name);
    method.setFeaturesList(name === "read" ? ["position", "events"] : []);
    methods.addMethods(method);
  }
  return methods;
}

export function clusterInfo(members: readonly Member[]): ClusterInfo {
  const cluster = new Cluster();
  for (const { host, port, isLeader, isAlive } of members) {
    const member = new MemberInfo();
    member.setInstanceId(uuid(randomUUID()));
    member.setTimeStamp((BigInt(Date.now()) * 10_000n).toString());
    member.setState(isLeader ? MemberInfo.VNodeState.LEADER : MemberInfo.VNodeState.FOLLOWER);
    member.setIsAlive(isAlive);
    const endPoint = new EndPoint();
    endPoint.setAddress(host);
    endPoint.setPort(port);
    member.setHttpEndPoint(endPoint);
    cluster.addMembers(member);
  }
  return cluster;
}
