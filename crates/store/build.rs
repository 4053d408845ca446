//! Tells cargo that a new file among the migrations is a change: the macro that embeds them can't.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
