# make demo: shows the main job in an emulated AWS account.   make test: passes all tests.
.PHONY: demo test
.DEFAULT_GOAL := test

demo:
	@sh tools/need.sh cargo python3
	@sh tools/demo.sh

test:
	@sh tools/need.sh cargo
	@sh tools/python.sh .venv || true
	@RECTIFY_PYTHON="$$(sh tools/python.sh --path .venv)" cargo test --workspace --locked
