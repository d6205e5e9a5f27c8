//! The crate dsmr5: checks the CRC, and parses the objects. Its `State` fails at the first reference that it does not
//! know, so the objects are read one by one, and unknown ones are skipped.

use dsmr5::{Readout, Tariff, OBIS};
use readers::Readings;

const GAS: u64 = 3;

fn tariff(tariff: Tariff) -> usize {
    match tariff {
        Tariff::Tariff1 => 0,
        Tariff::Tariff2 => 1,
    }
}

fn read(data: &[u8]) -> Readings {
    let mut buffer = [0; 2048];
    buffer[..data.len()].copy_from_slice(data);
    let readout = Readout { buffer };
    let telegram = readout.to_telegram().expect("no telegram");
    let mut found = Readings::default();
    let (mut types, mut values) = ([None; 4], [None; 4]);
    for object in telegram.objects().flatten() {
        match object {
            OBIS::MeterReadingTo(of, value) => found.energy[0][tariff(of)] = Some(f64::from(&value)),
            OBIS::MeterReadingBy(of, value) => found.energy[1][tariff(of)] = Some(f64::from(&value)),
            OBIS::PowerDelivered(value) => found.power[0] = Some(f64::from(&value)),
            OBIS::PowerReceived(value) => found.power[1] = Some(f64::from(&value)),
            OBIS::SlaveDeviceType(slave, value) => types[slave as usize] = value.map(|value| value.0),
            OBIS::SlaveMeterReading(slave, _, Some(value)) => values[slave as usize] = Some(f64::from(&value)),
            other => {
                std::hint::black_box(other);
            }
        }
    }
    found.gas = (0..4).find(|slave| types[*slave] == Some(GAS)).and_then(|slave| values[slave]);
    found
}

fn main() {
    readers::run(read, |readings| readings);
}
