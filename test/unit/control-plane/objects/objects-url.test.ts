import assert from "node:assert/strict";
import { objectsLocation } from "@sallyport/control-plane/objects/objects-url.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

const KEYS = { AWS_ACCESS_KEY_ID: "the-id", AWS_SECRET_ACCESS_KEY: "the-secret" };

describe("SALLYPORT_OBJECTS", () => {
  it("is not there by default", () => {
    assert.equal(objectsLocation({}), undefined);
    assert.equal(objectsLocation({ SALLYPORT_OBJECTS: "" }), undefined);
  });

  it("names bucket, prefix, endpoint and region", () => {
    const url = "s3://recs/a/b/?endpoint=https://s3.example.com/&region=eu-1";
    const keys = { accessKeyId: "the-id", secretAccessKey: "the-secret" };
    assert.deepEqual(objectsLocation({ SALLYPORT_OBJECTS: url, ...KEYS }), {
      endpoint: "https://s3.example.com/recs",
      region: "eu-1",
      prefix: "a/b/",
      ...keys,
    });
    assert.deepEqual(objectsLocation({ SALLYPORT_OBJECTS: "s3://recs", ...KEYS }), {
      endpoint: "https://s3.us-east-1.amazonaws.com/recs",
      region: "us-east-1",
      prefix: "",
      ...keys,
    });
  });

  for (const url of [
    "recs",
    "https://recs",
    "s3://",
    "s3://RECS_x",
    "s3://the-id:the-secret@recs",
    "s3://recs/a%2f..",
    "s3://recs/a b",
    "s3://recs#x",
    "s3://recs?secret=the-secret",
    "s3://recs?endpoint=http://s3.example.com",
    "s3://recs?endpoint=ftp://127.0.0.1",
    "s3://recs?endpoint=nowhere",
    "s3://recs?endpoint=https://x/?y",
    "s3://recs?region=a/b",
  ])
    it(`refuses ${url}, and says no secret`, () => {
      assert.throws(
        () => objectsLocation({ SALLYPORT_OBJECTS: url, ...KEYS }),
        (error) => isSallyportError(error, "config-invalid") && !error.message.includes("the-secret"),
      );
    });

  it("refuses to be without credentials", () => {
    for (const missing of Object.keys(KEYS))
      assert.throws(
        () => objectsLocation({ SALLYPORT_OBJECTS: "s3://recs", ...KEYS, [missing]: undefined }),
        /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have to be set/,
      );
  });
});
