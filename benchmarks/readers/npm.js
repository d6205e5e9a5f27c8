// npm's dsmr-parser: checks the CRC and parses all that it supports, from a string.
//
// node npm.js read FILE         the readings of each telegram
// node npm.js time FILE PASSES  CPU time per telegram in µs
// NODE_PATH says where it is installed.
'use strict';
const {readFileSync} = require('fs');
const parser = require('dsmr-parser');

const NAMES = {
  energy_import_t1_kwh: 'electricity delivered tariff 1',
  energy_import_t2_kwh: 'electricity delivered tariff 2',
  energy_export_t1_kwh: 'electricity received tariff 1',
  energy_export_t2_kwh: 'electricity received tariff 2',
  power_import_kw: 'actual electricity power delivered',
  power_export_kw: 'actual electricity power received',
  gas_m3: 'gas delivered',
};
const [what, file, passes] = process.argv.slice(2);
const telegrams = readFileSync(file, 'latin1').match(/\/[^!]*![0-9A-F]{4}\r\n/g).map((one) => Buffer.from(one, 'latin1'));
const read = (telegram) => parser.parse(telegram.toString('latin1'));

if (what === 'read') {
  for (const telegram of telegrams) {
    const {objects} = read(telegram);
    const readings = Object.entries(NAMES).map(([name, theirs]) => [name, objects[theirs]]);
    console.log(JSON.stringify(Object.fromEntries(readings)));
  }
} else {
  telegrams.forEach(read); // warm-up
  const begun = process.cpuUsage();
  for (let pass = 0; pass < Number(passes); pass++) telegrams.forEach(read);
  const {user, system} = process.cpuUsage(begun);
  console.log((user + system) / telegrams.length / Number(passes));
}
