import type { Adapter, AdapterFactory, AdapterPayload } from "oidc-provider";

/**
 * Storage for one IdP, in memory and its own: oidc-provider's built-in one is shared by every provider of the
 * process and warns on each start.
 */
export function memoryStore(): AdapterFactory {
  const records = new Map<string, { payload: AdapterPayload; expires: number }>();

  const live = (key: string): AdapterPayload | undefined => {
    const record = records.get(key);
    if (record && record.expires <= Date.now()) records.delete(key);
    return records.get(key)?.payload;
  };
  const liveWhere = (model: string, matches: (payload: AdapterPayload) => boolean) => {
    const keys = [...records.keys()].filter((key) => key.startsWith(`${model}:`));
    return keys.map(live).find((payload) => payload !== undefined && matches(payload));
  };

  return (model: string): Adapter => ({
    async upsert(id, payload, expiresIn) {
      const expires = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000;
      records.set(`${model}:${id}`, { payload, expires });
    },
    async find(id) {
      return live(`${model}:${id}`);
    },
    async findByUserCode(userCode) {
      return liveWhere(model, (payload) => payload.userCode === userCode);
    },
    async findByUid(uid) {
      return liveWhere(model, (payload) => payload.uid === uid);
    },
    async consume(id) {
      const payload = live(`${model}:${id}`);
      if (payload) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      records.delete(`${model}:${id}`);
    },
    async revokeByGrantId(grantId) {
      for (const [key, { payload }] of records) if (payload.grantId === grantId) records.delete(key);
    },
  });
}
