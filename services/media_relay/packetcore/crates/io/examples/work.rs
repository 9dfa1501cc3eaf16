//! Prints what the work on a programme costs here, µs of CPU for 20 ms of sound, as a JSON object.

fn main() -> Result<(), majlis_io::RelayError> {
    let costs = majlis_io::measure_work(1.0)?.named();
    let members: Vec<String> = costs.iter().map(|(name, cost)| format!("\"{name}\": {cost:.1}")).collect();
    println!("{{{}}}", members.join(", "));
    Ok(())
}
