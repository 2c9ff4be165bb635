module keyward/internal/bench/testdata/minica

go 1.26

require github.com/jsha/minica v1.1.0
