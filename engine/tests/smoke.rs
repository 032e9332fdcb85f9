use wisen::*;
fn unit(i: usize, d: usize) -> Vec<f32> {
    let mut s = i as u64 * 7919 + 13;
    (0..d)
        .map(|_| {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s % 1000) as f32 / 500.0 - 1.0
        })
        .collect()
}
#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("s");
    let st = Store::open(&p, Options::new(32).seal_at(500)).unwrap();
    let ms: Vec<Memory> = (0..5000).map(|i| Memory::new(format!("memory {i}"), unit(i, 32))).collect();
    let ids = st.remember_many(ms).unwrap();
    for i in (0..5000).step_by(97) {
        let r = st.recall(&Query::new(unit(i, 32)).k(3)).unwrap();
        assert_eq!(r.hits[0].id, ids[i]);
        let rep = st.report(&Report::on(r.receipt.unwrap(), Outcome::Success).used(ids[i])).unwrap();
        assert_eq!(rep.status, ReportStatus::Credited);
    }
    st.seal().unwrap();
    println!("{:?}", st.stats().unwrap());
    println!("{:?}", st.verify().unwrap());
    let a: Vec<_> =
        (0..50).map(|i| st.recall(&Query::new(unit(i * 31 + 1, 32)).k(5).receipt(false)).unwrap()).collect();
    st.close().unwrap();
    let st = Store::open(&p, Options::existing()).unwrap();
    let b: Vec<_> =
        (0..50).map(|i| st.recall(&Query::new(unit(i * 31 + 1, 32)).k(5).receipt(false)).unwrap()).collect();
    for (x, y) in a.iter().zip(&b) {
        assert_eq!(x.hits, y.hits);
    }
    println!("{:?}", b[3].hits[0]);
    println!("{:?}", b[3].hits[0].reasons());
    assert!(st.verify().unwrap().is_ok());
    let m = Store::open(":memory:", Options::new(4)).unwrap();
    let id = m.remember(Memory::new("x", [1.0, 0.0, 0.0, 0.0])).unwrap();
    m.seal().unwrap();
    assert_eq!(m.recall(&Query::new([1.0, 0.0, 0.0, 0.0])).unwrap().hits[0].id, id);
}
