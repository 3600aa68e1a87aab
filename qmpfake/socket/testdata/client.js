// A backup with npm's qemu-qmp as the client: node client.js SOCKET. It prints the
// events of the machine and "done".
const QMP = require('qemu-qmp');
const qmp = new QMP();
const fail = (what) => (err) => { if (err) { console.log(what + ': ' + err.message); process.exit(1); } };
const run = (command, args) => new Promise((resolve) => {
  qmp.execute(command, args, (err, value) => { fail(command)(err); resolve(value); });
});
const concluded = new Promise((resolve) => {
  qmp.on('block_job_completed', (name) => { console.log(name); resolve(); });
});
qmp.on('stop', (name) => console.log(name));
qmp.connect(process.argv[2], async (err) => {
  fail('connect')(err);
  console.log('qemu', qmp.version.qemu.major, qmp.version.qemu.minor);
  console.log((await run('query-status')).status);
  await run('cont');
  await run('stop');
  await run('blockdev-add', { driver: 'null-co', 'node-name': 't', size: 67108864 });
  await run('blockdev-backup', { 'job-id': 'b', device: 'd', target: 't', sync: 'full' });
  await concluded;
  qmp.execute('nosuch', null, (err) => {
    console.log(err.message);
    console.log('done');
    qmp.end();
  });
});
