import type { Random } from './random.ts'
import type { Industry } from './world.ts'

const firstNames = [
  'Amelia', 'Noah', 'Sofia', 'Liam', 'Mei', 'Hiroshi', 'Lucas', 'Ingrid', 'Mateo', 'Priya', 'Oliver', 'Chloe', 'Kenji', 'Anna', 'Diego', 'Elif', 'Tom', 'Yuki', 'Marta',
  'Felix', 'Grace', 'Arjun', 'Clara', 'Hugo', 'Nina', 'Omar', 'Ruth', 'Simon', 'Tara', 'Victor', 'Wei', 'Zoe', 'Bruno', 'Camila', 'Daan', 'Eva', 'Jonas', 'Karin', 'Leah', 'Marco',
]
const lastNames = [
  'Abbott', 'Baptista', 'Chen', 'Dubois', 'Eriksson', 'Fischer', 'Garcia', 'Hughes', 'Ito', 'Jansen', 'Kowalski', 'Lindberg', 'Moreau', 'Nakamura', 'Okafor', 'Patel', 'Quinn',
  'Rossi', 'Santos', 'Tanaka', 'Umar', 'Vargas', 'Weber', 'Xu', 'Young', 'Zhang', 'Almeida', 'Brooks', 'Castillo', 'Dekker', 'Engel', 'Foster', 'Gupta', 'Holm', 'Iyer', 'Jacobs',
  'Kaya', 'Larsen', 'Mendes', 'Novak',
]
const companyWords = [
  'Alder', 'Amber', 'Anchor', 'Arrow', 'Aspen', 'Beacon', 'Birch', 'Bramble', 'Bridge', 'Cedar', 'Cinder', 'Cobalt', 'Copper', 'Coral', 'Crown', 'Delta', 'Dune', 'Eagle', 'Ember',
  'Falcon', 'Fern', 'Flint', 'Forge', 'Garnet', 'Glacier', 'Granite', 'Harbor', 'Hazel', 'Heron', 'Indigo', 'Ivory', 'Juniper', 'Keystone', 'Lantern', 'Larch', 'Linden', 'Maple',
  'Marble', 'Meadow', 'Mesa', 'Nimbus', 'North', 'Oak', 'Onyx', 'Orchard', 'Osprey', 'Pebble', 'Pine', 'Prairie', 'Quarry', 'Raven', 'Ridge', 'River', 'Saffron', 'Sage', 'Silver',
  'Slate', 'Sparrow', 'Spruce', 'Summit', 'Tamarind', 'Thistle', 'Tidal', 'Timber', 'Topaz', 'Umber', 'Valley', 'Violet', 'Walnut', 'Willow', 'Wren', 'Zenith',
]
const secondWords = ['', '', '', ' & Sons', ' Point', ' Hill', ' Bay', ' Creek', ' Gate', ' Park', ' West', ' East']
const trade: Readonly<Record<Industry, readonly string[]>> = {
  Logistics: ['Logistics', 'Freight', 'Couriers', 'Haulage'],
  Retail: ['Stores', 'Markets', 'Retail', 'Outfitters'],
  Construction: ['Construction', 'Builders', 'Contracting', 'Engineering'],
  Utilities: ['Water', 'Power', 'Energy', 'Networks'],
  Healthcare: ['Health', 'Clinics', 'Home Care', 'Medical'],
  Facilities: ['Facilities', 'Property Care', 'Maintenance', 'Services'],
}
const chineseWords = ['云岭', '青禾', '瑞川', '北辰', '锦程', '宏岳', '天澜', '远帆', '晨屿', '嘉木', '东篱', '星渚', '博远', '海棠', '松筠', '明溪', '百川', '鹿鸣', '安陵', '旭峰', '景和', '长汀']
const chineseTrade: Readonly<Record<Industry, readonly string[]>> = {
  Logistics: ['物流', '货运', '速递'],
  Retail: ['零售', '商贸', '超市'],
  Construction: ['建设', '工程', '建筑'],
  Utilities: ['能源', '水务', '电力'],
  Healthcare: ['医疗', '健康', '护理'],
  Facilities: ['物业', '设施', '服务'],
}

export const personName = (random: Random): string => `${random.pick(firstNames)} ${random.pick(lastNames)}`

/** Names companies, each differently. */
export function companyNamer(): (random: Random, country: string, industry: Industry) => string {
  const taken = new Set<string>()
  return (random, country, industry) => {
    for (let attempt = 0; ; attempt++) {
      const name = country === 'China' ? random.pick(chineseWords) + random.pick(chineseTrade[industry]) : `${random.pick(companyWords)}${random.pick(secondWords)} ${random.pick(trade[industry])}`
      const unique = attempt < 20 ? name : `${name} ${attempt}`
      if (taken.has(unique)) continue
      taken.add(unique)
      return unique
    }
  }
}

/** Domains end in `.example`, which nobody can own. */
export const domain = (accountId: number, name: string): string => `${name.toLowerCase().replace(/[^a-z0-9]+/g, '') || 'company'}${accountId}.example`
export const email = (name: string, host: string): string => `${name.toLowerCase().replace(/[^a-z]+/g, '.')}@${host}`
export const phone = (random: Random): string => `+1-555-01${String(random.integer(0, 99)).padStart(2, '0')}-${String(random.integer(0, 9_999)).padStart(4, '0')}`
