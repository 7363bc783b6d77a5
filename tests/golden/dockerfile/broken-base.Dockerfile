FROM app/missing
