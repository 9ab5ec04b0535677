// The ten fields of the readouts that are timed, and what they read now: each readout another value.
export const fields = [
  { name: "Temperature", unit: "°C" },
  { name: "Pressure", unit: "hPa" },
  { name: "Humidity", unit: "%" },
  { name: "Dew point", unit: "°C" },
  { name: "Wind speed", unit: "m/s" },
  { name: "Wind direction", unit: "°" },
  { name: "Rain", unit: "mm" },
  { name: "Illuminance", unit: "lx" },
  { name: "Battery", unit: "V" },
  { name: "Current", unit: "mA" },
];

let turn = 0;
export const read = () => {
  turn++;
  return fields.map(({ name }, index) => ({ name, value: index * 100 + (turn % 1_000) / 10 }));
};
