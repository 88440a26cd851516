import { spawn, spawnSync, execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync, readFileSync, chmodSync } from "node:fs";
import { join } from "node:path";
import { startIdentityProvider } from "/work/main/demo/identity-provider.ts";
import { signInByForm } from "/work/main/demo/sign-in-by-form.ts";
import { startControlPlane } from "/work/main/test/integration/client/fixtures/control-plane.ts";
import { ALICE, aliceMe } from "/work/main/test/integration/client/fixtures/people.ts";
import { Machine, MAIN } from "/work/main/test/integration/client/fixtures/sallyport.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "/work/main/core/src/ssh/public-key.ts";
import { formatOpenSshPrivateKey } from "/work/main/core/src/ssh/private-key.ts";

const idp = await startIdentityProvider({ port: 0, users: [ALICE] });
const me = aliceMe(Math.floor(Date.now() / 1000));
me.hosts[0].accounts = ["root"];
const cp = await startControlPlane({ issuer: idp.issuer, clientId: "sallyport-cli", me });
const m = new Machine();
// sshd
const d = join(m.directory, "sshd"); mkdirSync(d);
execFileSync("ssh-keygen", ["-q","-t","ed25519","-N","","-f",join(d,"host")]);
writeFileSync(join(d,"hostca"), formatOpenSshPrivateKey(cp.hostCa,"ca",1),{mode:0o600});
execFileSync("ssh-keygen", ["-q","-s",join(d,"hostca"),"-I","h","-h","-n","web-1",join(d,"host.pub")]);
writeFileSync(join(d,"ca.pub"), formatPublicKeyLine(publicKeyFromKeyObject(cp.userCa))+"\n");
writeFileSync(join(d,"principals"), "sallyport-user\n");
writeFileSync(join(d,"conf"), `Port 2201\nListenAddress 127.0.0.1\nHostKey ${d}/host\nHostCertificate ${d}/host-cert.pub\nTrustedUserCAKeys ${d}/ca.pub\nAuthorizedPrincipalsFile ${d}/principals\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n`);
mkdirSync("/run/sshd",{recursive:true});
const sshd = spawn("/usr/sbin/sshd", ["-D","-e","-f",join(d,"conf")], {stdio:["ignore","ignore","pipe"]});
let log=""; sshd.stderr.on("data",x=>log+=x);
async function login(){ const r=m.start("login","--server",cp.url,"--no-browser"); await signInByForm(await r.firstLine,{username:ALICE.name,password:ALICE.password}); const f=await r.finished; console.log(f.status, f.stderr); }
await login();
console.log(readFileSync(join(m.home,"ssh_config"),"utf8"));
let f = await m.run("ssh","web-1","echo","hi","$USER;","exit","7"); console.log("ssh file:", f.status, f.stdout, f.stderr);
f = await m.spawn("ssh",["-F",join(m.home,"ssh_config"),"web-1","echo plain"]).finished; console.log("plain:", f.status,f.stdout,f.stderr);
// agent
const sock=join(m.directory,"agent.sock");
const agent=spawn("ssh-agent",["-D","-a",sock],{stdio:["ignore","pipe","inherit"]}); await new Promise(r=>agent.stdout.once("data",r));
m.env.SSH_AUTH_SOCK=sock;
await login();
console.log((await m.spawn("ssh-add",["-l"]).finished).stdout);
f = await m.spawn("ssh",["-vvv","-F",join(m.home,"ssh_config"),"web-1","echo","hi"]).finished; console.log(f.stderr); process.exit(); console.log("ssh agent:", f.status, f.stdout, f.stderr);
for (const [label,cmd] of [["ensure agent", ["env",`SALLYPORT_HOME=${m.home}`,`NODE_COMPILE_CACHE=${m.home}/cache`,process.execPath,MAIN,"ensure","--host","web-1"]],["bare node",[process.execPath,"-e","0"]]] as const) {
  const t:number[]=[]; for(let i=0;i<40;i++){const s=performance.now(); const r=spawnSync(cmd[0],cmd.slice(1) as string[],{env:m.environment}); if(r.status) console.log("bad",r.status,String(r.stderr)); t.push(performance.now()-s);} t.sort((a,b)=>a-b); console.log(label,"median",t[20].toFixed(1),"min",t[0].toFixed(1));
}
// fails closed
(await m.run("logout"));
m.env.BROWSER="true"; await cp.close();
f = await m.spawn("ssh",["-F",join(m.home,"ssh_config"),"web-1","true"]).finished; console.log("fails:", f.status,f.stdout,f.stderr);
f = await m.run("ssh","web-1","true"); console.log("fails:", f.status,f.stdout,f.stderr);
console.log(log.split("\n").filter(l=>/Accepted|Failed/.test(l)).join("\n"));
agent.kill(); sshd.kill(); await idp.close(); m.remove();
