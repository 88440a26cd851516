import assert from "node:assert/strict";
import { CookieJar } from "../../../demo/sign-in-by-form/cookie-jar.ts";
import { findForms } from "../../../demo/sign-in-by-form/forms.ts";

describe("forms and cookies of the sign-in driver", () => {
  it("finds a form's action, method and fields, with entities decoded", () => {
    const html = `<form method="POST" action="/a?x=1&amp;y=2"><input type=hidden name='t' value="&quot;&#60;">
      <input name="username"><button name="go" value="yes">Go</button></form><form><input name=q></form>`;
    const [first, second] = findForms(html, new URL("http://127.0.0.1:1/page/"));
    assert.equal(first?.action.href, "http://127.0.0.1:1/a?x=1&y=2");
    assert.equal(first?.method, "post");
    assert.deepEqual(
      [...(first?.fields ?? [])],
      [
        ["t", '"<'],
        ["username", ""],
        ["go", "yes"],
      ],
    );
    assert.equal(second?.action.href, "http://127.0.0.1:1/page/");
    assert.equal(second?.method, "get");
  });

  it("sends cookies to their host and path only, and drops expired ones", () => {
    const jar = new CookieJar();
    const url = new URL("http://127.0.0.1:1/interaction/abc");
    jar.store(url, ["a=1; path=/interaction/abc; HttpOnly", "b=2; path=/", "c=3"]);
    assert.equal(jar.headerFor(new URL("http://127.0.0.1:1/interaction/abc/login")), "a=1; c=3; b=2");
    assert.equal(jar.headerFor(new URL("http://127.0.0.1:1/interaction/abcd")), "c=3; b=2");
    assert.equal(jar.headerFor(new URL("http://localhost/")), "");
    jar.store(url, ["b=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT", "c=; Max-Age=0"]);
    assert.equal(jar.headerFor(new URL("http://127.0.0.1:1/")), "");
  });
});
