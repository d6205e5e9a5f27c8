//! The crate dsmr-parse: checks the CRC, and parses all that a DSMR 5 telegram contains.

use dsmr_parse::{Telegram, UnitValue};
use readers::Readings;

fn value(of: &Option<UnitValue<f64>>) -> Option<f64> {
    of.as_ref().map(|of| of.value)
}

fn readings(telegram: Telegram) -> Readings {
    Readings {
        energy: [
            [value(&telegram.electricity_consumed_tariff_1), value(&telegram.electricity_consumed_tariff_2)],
            [value(&telegram.electricity_generated_tariff_1), value(&telegram.electricity_generated_tariff_2)],
        ],
        power: [value(&telegram.power), value(&telegram.return_power)],
        gas: value(&telegram.gas_consumed),
    }
}

fn main() {
    readers::run(|data| Telegram::read_from(data).expect("refused").expect("no telegram"), readings);
}
