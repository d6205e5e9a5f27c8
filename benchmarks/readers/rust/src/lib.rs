//! What both readers share: `READER read FILE` prints the readings of each telegram, `READER time FILE PASSES` the CPU
//! time per telegram in µs.

/// The readings that are compared, if the crate returns them.
#[derive(Default)]
pub struct Readings {
    pub energy: [[Option<f64>; 2]; 2], // import and export, of two tariffs
    pub power: [Option<f64>; 2],
    pub gas: Option<f64>,
}

impl Readings {
    fn json(&self) -> String {
        let named = [
            ("energy_import_t1_kwh", self.energy[0][0]),
            ("energy_import_t2_kwh", self.energy[0][1]),
            ("energy_export_t1_kwh", self.energy[1][0]),
            ("energy_export_t2_kwh", self.energy[1][1]),
            ("power_import_kw", self.power[0]),
            ("power_export_kw", self.power[1]),
            ("gas_m3", self.gas),
        ];
        let members: Vec<String> =
            named.iter().filter_map(|(name, value)| value.map(|value| format!("\"{name}\":{value}"))).collect();
        format!("{{{}}}", members.join(","))
    }
}

fn cpu_us() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// The telegrams, each with the line end after its CRC.
fn cut(data: &[u8]) -> Vec<&[u8]> {
    let mut begin = 0;
    let ends = data.iter().enumerate().filter(|(_, byte)| **byte == b'!').map(|(mark, _)| mark + "!ABCD\r\n".len());
    ends.map(|end| &data[std::mem::replace(&mut begin, end)..end]).collect()
}

/// Run the command line; `read` reads one telegram, and `readings` takes the readings from its result.
pub fn run<T>(read: impl Fn(&[u8]) -> T, readings: impl Fn(T) -> Readings) {
    let arguments: Vec<String> = std::env::args().collect();
    let data = std::fs::read(&arguments[2]).expect("no such file");
    let telegrams = cut(&data);
    if arguments[1] == "read" {
        telegrams.iter().for_each(|telegram| println!("{}", readings(read(telegram)).json()));
        return;
    }
    let passes: usize = arguments[3].parse().expect("no number of passes");
    let mut begun = 0.0;
    for pass in 0..=passes {
        if pass == 1 {
            begun = cpu_us(); // the pass before was the warm-up
        }
        for telegram in &telegrams {
            std::hint::black_box(read(std::hint::black_box(telegram)));
        }
    }
    println!("{}", (cpu_us() - begun) / (passes * telegrams.len()) as f64);
}
